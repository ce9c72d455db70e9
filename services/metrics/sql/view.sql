-- One row a fact, its columns the fields of the dataclass in timeline.py. Dates and instants are those
-- at which things happened, never those of their arrival.
create table cases (
    id uuid primary key,
    version int not null,
    opened_at timestamptz not null,
    closed_at timestamptz[] not null,
    reopened_at timestamptz[] not null
);
create table records (
    id uuid primary key,
    version int not null,
    at timestamptz not null,
    kind text,
    method text,
    counterpart text
);
create table referrals (
    id uuid primary key,
    version int not null,
    requested_at timestamptz not null,
    received_at timestamptz,
    accepted_at timestamptz,
    declined_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz
);
create table meetings (
    id uuid primary key,
    version int not null,
    bodies text[] not null,
    held_on date,
    cancelled boolean not null
);
create table surveys (
    id uuid primary key,
    version int not null,
    surveyed_on date not null,
    answered int not null,
    positive int not null
);
create table courses (
    id uuid primary key,
    version int not null,
    held_on date not null,
    completed int not null
);
create index on cases (opened_at);
create index on records (at);
create index on referrals (requested_at);
create index on meetings (held_on);
create index on surveys (surveyed_on);
create index on courses (held_on);
