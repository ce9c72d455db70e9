-- migrate:up
-- As before, but a case that is to be judged already is only locked and not written again, and who stands
-- together with others by a merge is only asked for if one of these does. Two statements with a snapshot
-- each: the merges are read when the rows of the cases are ours, so that nobody can merge or undo beside us.
create or replace function touch(changed uuid[]) returns void language plpgsql as $$
begin
    insert into cases (id, dirty) select c, true from unnest(changed) c order by c
    on conflict (id) do update set dirty = true, stuck = null
     where not cases.dirty or cases.stuck is not null;
    if exists (select from merges where merged = any(changed) and not undone)
       or exists (select from merges where into_case = any(changed) and not undone) then
        with recursive near (id) as (
            select unnest(changed)
            union
            select n.id from near c, lateral (
                   select m.into_case as id from merges m where m.merged = c.id and not m.undone
                   union all
                   select m.merged from merges m where m.into_case = c.id and not m.undone) n)
        insert into cases (id, dirty) select id, true from near where id <> all(changed) order by id
        on conflict (id) do update set dirty = true, stuck = null;
    end if;
end $$;

-- migrate:down
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
