-- migrate:up
-- Keep these events, a line each, its columns with 0x1f between, in their order; empty is null.
create function keep(lines text) returns void language plpgsql as $$
begin
    insert into kept (id, stream, version, key, type, at, occurred_at, actor, agency, correlation,
                      basis, causation, traceparent, data)
    select told[1]::uuid, told[2], told[3]::int, told[4], told[5], told[6]::timestamptz,
           told[7]::timestamptz, told[8], told[9], told[10]::uuid,
           nullif(told[11], ''), nullif(told[12], '')::uuid, nullif(told[13], ''), told[14]::jsonb
      from (select string_to_array(line, chr(31)) as told
              from string_to_table(lines, chr(10)) line offset 0) of  -- taken apart once, not for each column
    on conflict do nothing;
end $$;

-- `take` as before; and if the batch is the next of all its streams, what is `kept` of it is kept in the same trip.
drop function take(text, text[], int[], text[], bigint[], text, jsonb, text);
create function take(
    service text, topics text[], partitions int[], topic_ids text[], ends bigint[],
    streams text, befores jsonb, versions text, kept text,
    out live int, out known jsonb, out advanced boolean, out parked text[])
language plpgsql as $$
declare
    name text;
    asked text[] := string_to_array(streams, chr(10));
    done int;
begin
    live := enter();
    name := service || '-' || live;
    insert into position as p (view, topic, partition, topic_id, "offset")
    select name, n.* from unnest(topics, partitions, topic_ids, ends) n
    on conflict (view, topic, partition) do update
       set topic_id = excluded.topic_id, "offset" = excluded."offset"
     where p.topic_id <> excluded.topic_id or p."offset" < excluded."offset";

    advanced := versions is not null and not exists (
        select from unnest(asked) n (stream)
         where coalesce((befores ->> n.stream)::int, 0) <> coalesce(
               (select i.version from inbox i where i.view = name and i.stream = n.stream), 0));
    if advanced then
        insert into inbox as i (view, stream, version)
        select name, n.stream, n.version
          from unnest(asked, string_to_array(versions, chr(10))::int[]) n (stream, version)
         order by n.stream
        on conflict (view, stream) do update set version = excluded.version
         where i.version = coalesce((befores ->> i.stream)::int, 0);
        get diagnostics done = row_count;
        if done < cardinality(asked) then
            raise exception 'overtaken' using errcode = 'serialization_failure';
        end if;
        select array_agg(distinct p.stream) into parked
          from parked p where p.view = name and p.stream = any(asked);
        if kept <> '' then
            perform keep(kept);
        end if;
    else
        select coalesce(jsonb_object_agg(i.stream, i.version), '{}') into known
          from (select stream, version from inbox where view = name and stream = any(asked)
                 order by stream for update) i;
    end if;
end $$;

-- migrate:down
drop function take(text, text[], int[], text[], bigint[], text, jsonb, text, text);
drop function keep(text);
create function take(
    service text, topics text[], partitions int[], topic_ids text[], ends bigint[],
    streams text, befores jsonb, versions text,
    out live int, out known jsonb, out advanced boolean, out waiting text[])
language plpgsql as $$
declare
    name text;
    asked text[] := string_to_array(streams, chr(10));
    moved int;
begin
    live := enter();
    name := service || '-' || live;
    insert into position as p (view, topic, partition, topic_id, "offset")
    select name, n.* from unnest(topics, partitions, topic_ids, ends) n
    on conflict (view, topic, partition) do update
       set topic_id = excluded.topic_id, "offset" = excluded."offset"
     where p.topic_id <> excluded.topic_id or p."offset" < excluded."offset";

    advanced := versions is not null and not exists (
        select from unnest(asked) n (stream)
         where coalesce((befores ->> n.stream)::int, 0) <> coalesce(
               (select was.version from inbox was where was.view = name and was.stream = n.stream), 0));
    if advanced then
        insert into inbox as was (view, stream, version)
        select name, n.stream, n.version
          from unnest(asked, string_to_array(versions, chr(10))::int[]) n (stream, version)
         order by n.stream
        on conflict (view, stream) do update set version = excluded.version
         where was.version = coalesce((befores ->> was.stream)::int, 0);
        get diagnostics moved = row_count;
        if moved < cardinality(asked) then
            raise exception 'overtaken' using errcode = 'serialization_failure';
        end if;
        select array_agg(distinct p.stream) into waiting
          from parked p where p.view = name and p.stream = any(asked);
    else
        select coalesce(jsonb_object_agg(was.stream, was.version), '{}') into known
          from (select stream, version from inbox where view = name and stream = any(asked)
                 order by stream for update) was;
    end if;
end $$;
