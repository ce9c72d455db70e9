-- migrate:up
-- Event store, optimistic lock and outbox in one.
create table journal (
    seq bigint generated always as identity primary key,
    id uuid not null unique,
    stream text not null,
    version int not null check (version > 0),
    key text not null,
    type text not null,
    data jsonb not null,
    at timestamptz not null,
    occurred_at timestamptz not null,
    actor text not null,
    agency text not null,
    basis text,
    correlation uuid not null,
    causation uuid,
    traceparent text,
    published_at timestamptz,
    topic_id text,
    partition int,
    "offset" bigint,
    held text,
    unique (stream, version)
);
create index journal_key on journal (key, stream);
create index journal_unpublished on journal (seq) where published_at is null;
create index journal_published on journal (topic_id, partition, "offset")
    where published_at is not null;
create index journal_held on journal (stream, version) where held is not null;

-- A command that was carried out, by the hash of its Idempotency-Key and scope.
create table command (
    id bytea primary key,
    digest bytea not null,
    stream text not null,
    version int not null,
    created boolean not null,
    at timestamptz not null default now()
);

-- How far each view has applied each stream: the whole delivery protocol.
create table inbox (
    view text not null,
    stream text not null,
    version int not null,
    primary key (view, stream)
);
create table position (
    view text not null,
    topic text not null,
    partition int not null,
    topic_id text not null,
    "offset" bigint not null,  -- next to read
    primary key (view, topic, partition)
);
create table parked (
    view text not null,
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    stream text,
    version int,
    key bytea,
    value bytea,
    headers jsonb not null,
    cause text not null,
    parked_at timestamptz not null default now(),
    primary key (view, topic, partition, "offset")
);
create index parked_stream on parked (view, stream, version);

create table timer (
    id text primary key,
    due timestamptz not null,
    stream text not null,
    command jsonb not null,
    last_error text
);
create index timer_due on timer (due);

-- Simulated domain time (development and tests only).
create table simulated_clock (
    one boolean primary key default true check (one),
    at timestamptz not null
);

create table view (
    number int primary key,
    state text not null check (state in ('building', 'live', 'retired')),
    made_at timestamptz not null default now()
);

-- migrate:down
drop table view, simulated_clock, timer, parked, position, inbox, command, journal;
