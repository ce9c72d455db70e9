-- migrate:up
-- These cases, and those in which they go on, are to be judged. Two statements with a snapshot each: the
-- merges are read when the rows of the cases are ours, so that nobody can merge or undo beside us.
create function touch(changed uuid[]) returns void language plpgsql as $$
begin
    insert into cases (id, dirty) select c, true from unnest(changed) c order by c
    on conflict (id) do update set dirty = true, stuck = null;
    with recursive above (id) as (
        select into_case from merges where merged = any(changed) and not undone
        union
        select m.into_case from merges m join above a on m.merged = a.id where not m.undone)
    insert into cases (id, dirty) select id, true from above where id <> all(changed) order by id
    on conflict (id) do update set dirty = true, stuck = null;
end $$;

-- migrate:down
drop function touch;
