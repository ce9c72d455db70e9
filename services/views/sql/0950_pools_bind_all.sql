-- migrate:up
-- A pool that is parked holds back every case, as the directory does: no pool is looked for among the cases'
-- consents any more. The rest of the function stays as it is.
do $$
declare
    here constant regprocedure := 'judging(text, timestamptz, int, text, text[], text[], uuid[], uuid, uuid[])';
    told text := pg_get_functiondef(here);
begin
    told := replace(told, 'select key, stream like ''body/%'' as of_body,', 'select key,');
    told := regexp_replace(told, 'or coalesce\(stream not like ''body/%'', true\)\s+and encode', 'or encode');
    told := replace(told, 'where p.of_any or p.of_body', 'where p.of_any');
    execute told;
end $$;

-- migrate:down
do $$
declare
    here constant regprocedure := 'judging(text, timestamptz, int, text, text[], text[], uuid[], uuid, uuid[])';
    told text := pg_get_functiondef(here);
begin
    told := replace(told, 'select key,', 'select key, stream like ''body/%'' as of_body,');
    told := replace(told, 'or encode', 'or coalesce(stream not like ''body/%'', true) and encode');
    told := replace(told, 'where p.of_any', 'where p.of_any or p.of_body');
    execute told;
end $$;
