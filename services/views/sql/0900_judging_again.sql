-- migrate:up
-- As before, but a case that could not be judged is tried again when its `judge_at` comes; and of what waits also
-- a pool is told, by its code, to whoever judges a case that depends on it. A record that tells no stream and
-- whose key is no case's may be of anything: then no document grows.
create or replace function judging(
    service text, moment timestamptz, most int, document text, bases text[], offices text[],
    first uuid[], past uuid, unheard uuid[])
returns table (
    cases uuid[], upto uuid, directory text, waiting bytea[], positions jsonb, held jsonb, merges jsonb,
    id uuid, stream text, version int, key text, type text, at timestamptz, occurred_at timestamptz,
    actor text, agency text, basis text, correlation uuid, causation uuid, traceparent text, data jsonb)
language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    told uuid[];
    changed uuid[];
    reached uuid[];
    due uuid[];
begin
    with recursive near (id) as (
         select unnest(first)
         union
         select n.id from near c, lateral (
                select m.into_case as id from merges m where m.merged = c.id and not m.undone
                union all
                select m.merged from merges m where m.into_case = c.id and not m.undone) n)
    select array_agg(near.id) into first from near;
    first := coalesce(first, '{}');
    select array_agg(c.id) into told
      from (select id from cases where id = any(first) and dirty and stuck is null
             order by id limit most for update skip locked) c;
    select array_agg(c.id) into changed
      from (select id from cases where dirty and stuck is null and id > past and id <> all(first)
               and (id <> all(unheard) or judge_at <= moment)
             order by id limit most for update skip locked) c;
    select array_agg(c.id) into reached
      from (select id from cases where judge_at <= moment and (not dirty or stuck is not null)
             order by judge_at limit most for update skip locked) c;
    due := told || changed || reached;
    if due is null then
        return;
    end if;
    return query
    with recursive family (id) as (
         select unnest(due)
         union
         select n.id from family c, lateral (
                select m.into_case as id from merges m where m.merged = c.id and not m.undone
                union all
                select m.merged from merges m where m.into_case = c.id and not m.undone) n),
    held as (
         select m.* from merges m
          where m.merged = any(array(select f.id from family f)) and not m.undone),
    documents as (  -- from stream to stream: a case may have very many documents, of a few agencies
         select d.id::text as key, (
                select min(j.stream) from journal j where j.key = d.id::text
                   and j.stream > 'disclosure/' and j.stream < 'disclosure0') as stream
           from unnest(due) d (id)
         union all
         select d.key, (
                select min(j.stream) from journal j where j.key = d.key
                   and j.stream > d.stream and j.stream < 'disclosure0')
           from documents d where d.stream is not null),
    newest as (
         select d.stream, d.key, n.data, (
                select max(l.version) from journal l where l.stream = d.stream) as version
           from documents d, lateral (
                select j.data from journal j where j.stream = d.stream and j.type = document
                 order by j.version desc limit 1) n)
    select due, case when cardinality(changed) = most then changed[most] end,
           (select w.events || '/' || w.mark from world w),
           array(select distinct case when p.of_any then null else p.key end
                   from (select key, stream like 'body/%' as of_body,
                                key is null or split_part(stream, '/', 1) = any(offices)
                                or coalesce(stream not like 'body/%', true)
                                   and encode(key, 'escape') !~ '^[0-9a-f-]{36}$' as of_any
                           from parked
                          where view = service
                            and (stream is null or split_part(stream, '/', 1) = any(bases || offices))) p
                  where p.of_any or p.of_body
                     or p.key in (select convert_to(f.id::text, 'UTF8') from family f)
                     or p.key in (select convert_to(h.id::text, 'UTF8') from held h)),
           (select coalesce(jsonb_agg(jsonb_build_array(p.topic, p.partition, p.topic_id, p."offset")), '[]')
              from position p where p.view = service),
           (select coalesce(jsonb_agg(n), '[]') from newest n),
           (select coalesce(jsonb_agg(h), '[]') from held h),
           null::uuid, null, null::int, null, null, null::timestamptz, null::timestamptz,
           null, null, null, null::uuid, null::uuid, null, null::jsonb
    union all
    select null, null, null, null, null, null, null,
           k.id, k.stream, k.version, k.key, k.type, k.at, k.occurred_at,
           k.actor, k.agency, k.basis, k.correlation, k.causation, k.traceparent, k.data
      from kept k where k.key = any(array(select f.id::text from family f))
     order by 9 nulls first, 10;
end $$;

-- migrate:down
create or replace function judging(
    service text, moment timestamptz, most int, document text, bases text[], offices text[],
    first uuid[], past uuid, unheard uuid[])
returns table (
    cases uuid[], upto uuid, directory text, waiting bytea[], positions jsonb, held jsonb, merges jsonb,
    id uuid, stream text, version int, key text, type text, at timestamptz, occurred_at timestamptz,
    actor text, agency text, basis text, correlation uuid, causation uuid, traceparent text, data jsonb)
language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    told uuid[];
    changed uuid[];
    reached uuid[];
    due uuid[];
begin
    with recursive near (id) as (
         select unnest(first)
         union
         select n.id from near c, lateral (
                select m.into_case as id from merges m where m.merged = c.id and not m.undone
                union all
                select m.merged from merges m where m.into_case = c.id and not m.undone) n)
    select array_agg(near.id) into first from near;
    first := coalesce(first, '{}');
    select array_agg(c.id) into told
      from (select id from cases where id = any(first) and dirty and stuck is null
             order by id limit most for update skip locked) c;
    select array_agg(c.id) into changed
      from (select id from cases where dirty and stuck is null and id > past and id <> all(first)
               and (id <> all(unheard) or judge_at <= moment)
             order by id limit most for update skip locked) c;
    select array_agg(c.id) into reached
      from (select id from cases where judge_at <= moment and not dirty and stuck is null
             order by judge_at limit most for update skip locked) c;
    due := told || changed || reached;
    if due is null then
        return;
    end if;
    return query
    with recursive family (id) as (
         select unnest(due)
         union
         select n.id from family c, lateral (
                select m.into_case as id from merges m where m.merged = c.id and not m.undone
                union all
                select m.merged from merges m where m.into_case = c.id and not m.undone) n),
    held as (
         select m.* from merges m
          where m.merged = any(array(select f.id from family f)) and not m.undone),
    documents as (  -- from stream to stream: a case may have very many documents, of a few agencies
         select d.id::text as key, (
                select min(j.stream) from journal j where j.key = d.id::text
                   and j.stream > 'disclosure/' and j.stream < 'disclosure0') as stream
           from unnest(due) d (id)
         union all
         select d.key, (
                select min(j.stream) from journal j where j.key = d.key
                   and j.stream > d.stream and j.stream < 'disclosure0')
           from documents d where d.stream is not null),
    newest as (
         select d.stream, d.key, n.data, (
                select max(l.version) from journal l where l.stream = d.stream) as version
           from documents d, lateral (
                select j.data from journal j where j.stream = d.stream and j.type = document
                 order by j.version desc limit 1) n)
    select due, case when cardinality(changed) = most then changed[most] end,
           (select w.events || '/' || w.mark from world w),
           array(select distinct
                        case when split_part(p.stream, '/', 1) = any(offices) then null else p.key end
                   from parked p
                  where p.view = service
                    and (p.stream is null or split_part(p.stream, '/', 1) = any(bases || offices))
                    and (p.key is null or split_part(p.stream, '/', 1) = any(offices)
                         or p.key in (select convert_to(f.id::text, 'UTF8') from family f)
                         or p.key in (select convert_to(h.id::text, 'UTF8') from held h))),
           (select coalesce(jsonb_agg(jsonb_build_array(p.topic, p.partition, p.topic_id, p."offset")), '[]')
              from position p where p.view = service),
           (select coalesce(jsonb_agg(n), '[]') from newest n),
           (select coalesce(jsonb_agg(h), '[]') from held h),
           null::uuid, null, null::int, null, null, null::timestamptz, null::timestamptz,
           null, null, null, null::uuid, null::uuid, null, null::jsonb
    union all
    select null, null, null, null, null, null, null,
           k.id, k.stream, k.version, k.key, k.type, k.at, k.occurred_at,
           k.actor, k.agency, k.basis, k.correlation, k.causation, k.traceparent, k.data
      from kept k where k.key = any(array(select f.id::text from family f))
     order by 9 nulls first, 10;
end $$;
