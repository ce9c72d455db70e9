-- migrate:up
-- Content of attachments, sealed under the key of the person or of the household; the event holds its digest.
create table attachment (
    id uuid primary key,
    case_id uuid not null,
    content bytea not null,
    stored_at timestamptz not null default clock_timestamp()
);
alter table attachment alter column content set storage external;
create index attachment_case on attachment (case_id);

-- migrate:down
drop table attachment;
