-- migrate:up
-- Also of an agency that never held a document of the case it is told how far its stream goes: where its people
-- opened what is sealed, its first document does not begin it. The rest of the function stays as it is.
do $$
declare
    here constant regprocedure := 'judging(text, timestamptz, int, text, text[], text[], uuid[], uuid, uuid[])';
    told text := pg_get_functiondef(here);
begin
    told := replace(told, 'from documents d, lateral (', 'from documents d left join lateral (');
    told := replace(told, 'limit 1) n)', 'limit 1) n on true where d.stream is not null)');
    execute told;
end $$;

-- migrate:down
do $$
declare
    here constant regprocedure := 'judging(text, timestamptz, int, text, text[], text[], uuid[], uuid, uuid[])';
    told text := pg_get_functiondef(here);
begin
    told := replace(told, 'from documents d left join lateral (', 'from documents d, lateral (');
    told := replace(told, 'limit 1) n on true where d.stream is not null)', 'limit 1) n)');
    execute told;
end $$;
