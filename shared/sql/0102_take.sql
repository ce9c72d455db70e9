-- migrate:up
-- Work on the promoted view until the transaction ends; until then no other is promoted.
create function enter(out live int) language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('views'));
    select number into strict live from view where state = 'live';
    perform set_config('search_path', 'view_' || live || ', public', true);
end $$;

-- How a batch begins, in one round trip: the places move, the streams are locked, and the inbox
-- advances if `versions` are given and each stream stands where they start. `waiting`: parked
-- streams among them, seen once they are locked. Each statement sees what was committed before it.
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

-- migrate:down
drop function take, enter;
