-- migrate:up
-- Cases of which something was told are to be judged, and what they are judged by, in one trip.
create function touched(
    service text, moment timestamptz, most int, document text, bases text[], offices text[],
    first uuid[], past uuid, unheard uuid[])
returns table (
    cases uuid[], upto uuid, directory text, waiting bytea[], positions jsonb, held jsonb, merges jsonb,
    id uuid, stream text, version int, key text, type text, at timestamptz, occurred_at timestamptz,
    actor text, agency text, basis text, correlation uuid, causation uuid, traceparent text, data jsonb)
language plpgsql as $$
begin
    perform touch(first);
    return query
    select * from judging(service, moment, most, document, bases, offices, first, past, unheard);
end $$;

-- migrate:down
drop function touched;
