-- migrate:up
-- What each agency's topic should hold, and what the broker has acknowledged of it.
create table delivery (
    agency text not null,
    case_id uuid not null,
    handle uuid not null unique,
    document int not null,
    edition int not null default 1,
    ended boolean not null default false,
    changed_at timestamptz not null,
    sent_document int not null default 0,
    sent_edition int not null default 0,
    sent_ended boolean not null default false,
    topic_id text,
    "offset" bigint,
    refused text,
    retry_at timestamptz,
    primary key (agency, case_id)
);
create index delivery_pending on delivery (agency, case_id)
    where (document, edition, ended) is distinct from (sent_document, sent_edition, sent_ended);
create table subscription (
    agency text primary key,
    public_key jsonb not null
);

-- migrate:down
drop table subscription;
drop table delivery;
