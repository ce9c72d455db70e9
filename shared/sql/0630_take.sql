-- migrate:up
-- `take` as before, but a batch that is the next of all its streams is only looked at and written: its streams
-- are locked by being written. Streams and versions come as one text each, a line a stream, and where
-- they are expected to stand as an object: an array is looked at by the driver element by element.
drop function take(text, text[], int[], text[], bigint[], text[], int[], int[]);
create function take(
    service text, topics text[], partitions int[], topic_ids text[], ends bigint[],
    streams text, befores jsonb, versions text,
    out live int, out known jsonb, out advanced boolean, out waiting text[])
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
        select array_agg(distinct p.stream) into waiting
          from parked p where p.view = name and p.stream = any(asked);
    else
        select coalesce(jsonb_object_agg(i.stream, i.version), '{}') into known
          from (select stream, version from inbox where view = name and stream = any(asked)
                 order by stream for update) i;
    end if;
end $$;

-- migrate:down
drop function take(text, text[], int[], text[], bigint[], text, jsonb, text);
create function take(
    service text, topics text[], partitions int[], topic_ids text[], ends bigint[],
    streams text[], befores int[], versions int[],
    out live int, out known jsonb, out advanced boolean, out waiting text[])
language plpgsql as $$
declare
    name text;
    done int;
begin
    live := enter();
    name := service || '-' || live;
    insert into position as p (view, topic, partition, topic_id, "offset")
    select name, n.* from unnest(topics, partitions, topic_ids, ends) n
    on conflict (view, topic, partition) do update
       set topic_id = excluded.topic_id, "offset" = excluded."offset"
     where p.topic_id <> excluded.topic_id or p."offset" < excluded."offset";

    select coalesce(jsonb_object_agg(i.stream, i.version), '{}') into known
      from (select stream, version from inbox where view = name and stream = any(streams)
             order by stream for update) i;

    advanced := versions is not null and not exists (
        select from unnest(streams, befores) n (stream, version)
         where n.version <> coalesce((known ->> n.stream)::int, 0));
    if advanced then
        insert into inbox as i (view, stream, version)
        select name, n.stream, n.version from unnest(streams, versions) n (stream, version)
         order by n.stream
        on conflict (view, stream) do update set version = excluded.version
         where i.version = coalesce((known ->> i.stream)::int, 0);
        get diagnostics done = row_count;
        if done < cardinality(streams) then
            raise exception 'overtaken' using errcode = 'serialization_failure';
        end if;
        select array_agg(distinct p.stream) into waiting
          from parked p where p.view = name and p.stream = any(streams);
    end if;
end $$;
