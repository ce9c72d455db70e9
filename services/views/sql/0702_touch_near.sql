-- migrate:up
-- These cases, and those that merges put together with them, are to be judged: what protects a person in one
-- of them does in all. Two statements with a snapshot each: the merges are read when the rows of the cases
-- are ours, so that nobody can merge or undo beside us.
create or replace function touch(changed uuid[]) returns void language plpgsql as $$
begin
    insert into cases (id, dirty) select c, true from unnest(changed) c order by c
    on conflict (id) do update set dirty = true, stuck = null;
    with recursive near (id) as (
        select unnest(changed)
        union
        select n.id from near c, lateral (
               select m.into_case as id from merges m where m.merged = c.id and not m.undone
               union all
               select m.merged from merges m where m.into_case = c.id and not m.undone) n)
    insert into cases (id, dirty) select id, true from near where id <> all(changed) order by id
    on conflict (id) do update set dirty = true, stuck = null;
end $$;

-- migrate:down
create or replace function touch(changed uuid[]) returns void language plpgsql as $$
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
