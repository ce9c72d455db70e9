-- migrate:up
create table data_key (
    id text primary key,
    wrapped bytea,
    made_at timestamptz not null default now(),
    destroyed_at timestamptz,
    check ((wrapped is null) = (destroyed_at is not null))
);
create table codes_key (
    id text primary key,
    wrapped bytea not null,
    made_at timestamptz not null default now()
);
grant select, insert on data_key to intake, referral, meetings, views;
grant update (wrapped, destroyed_at) on data_key to intake;
grant select, insert on codes_key to intake, referral, meetings, views;
-- metrics counts codes and can open nothing else.
grant select on codes_key to metrics;

-- migrate:down
drop table codes_key;
drop table data_key;
