-- migrate:up
-- Who read what: ids and kinds, never a value. Written before the answer, never changed.
create table reading (
    seq bigint generated always as identity primary key,
    at timestamptz not null,
    written_at timestamptz not null default clock_timestamp(),
    subject text not null,
    agency text not null,
    purpose text not null,
    basis text not null,
    path text not null,
    subject_of text not null,
    case_id uuid,
    kinds text[] not null
);
create index reading_case on reading (case_id, seq);
create function reading_stays() returns trigger language plpgsql as
$$ begin raise exception 'a reading is never changed'; end $$;
create trigger reading_stays before update or delete or truncate on reading
    for each statement execute function reading_stays();

-- migrate:down
drop table reading;
drop function reading_stays;
