-- migrate:up
-- Agencies that are told of their documents by webhook: how far they are, and what the endpoint last said.
create table webhook (
    agency text primary key,
    way uuid not null,
    url text not null,
    era uuid not null default '00000000-0000-0000-0000-000000000000',
    place bigint not null default 0,
    failures int not null default 0,
    trouble text,
    troubled_since timestamptz,
    retry_at timestamptz,
    confirmed_at timestamptz,
    leased_until timestamptz
);
-- The newest document of each case that it took: to a paused agency only what takes that away is told.
create table webhook_told (
    agency text not null references webhook on delete cascade,
    case_id uuid not null,
    document int not null,
    primary key (agency, case_id)
);
-- Documents that an endpoint refused for themselves; healed by the next one of their case.
create table webhook_parked (
    agency text not null references webhook on delete cascade,
    case_id uuid not null,
    handle uuid not null,
    document int not null,
    reason text not null,
    at timestamptz not null default now(),
    primary key (agency, case_id)
);

-- migrate:down
drop table webhook_parked;
drop table webhook_told;
drop table webhook;
