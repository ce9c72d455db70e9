-- migrate:up
-- The order in which an agency is told of its documents over feed, webhook and file. A document that
-- changes loses its place; places are given to what is committed, by one at a time for each agency, so
-- that nothing is ever committed below a place that was read. `era` is another after the database was set back.
create table feed (
    agency text primary key,
    era uuid not null default gen_random_uuid(),
    place bigint not null
);
alter table delivery add column place bigint;
alter table delivery add column placed_after timestamptz;
create unique index delivery_place on delivery (agency, place) where place is not null;
create index delivery_placeless on delivery (agency) where place is null;
create function lose_place() returns trigger language plpgsql as $$
begin
    new.place := null;
    new.placed_after := null;
    return new;
end $$;
create trigger delivery_changed before update on delivery for each row
    when ((old.document, old.edition, old.ended)
          is distinct from (new.document, new.edition, new.ended))
    execute function lose_place();

-- migrate:down
drop trigger delivery_changed on delivery;
drop function lose_place;
alter table delivery drop column place, drop column placed_after;
drop table feed;
