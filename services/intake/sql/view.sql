create table cases (
    id uuid primary key,
    lead text not null,
    status text not null,
    opened_at timestamptz not null,
    household uuid not null
);
create index cases_household on cases (household);
create table party (
    agency text not null,
    case_id uuid not null,
    primary key (agency, case_id)
);
create table search (
    case_id uuid not null,
    person uuid not null,
    field text not null,
    recorder text not null,
    lead text not null,
    terms bigint[] not null,
    primary key (case_id, person, field, recorder)
);
create index search_terms on search using gin (terms);
create table next_action (
    record uuid primary key,
    case_id uuid not null,
    agency text not null,
    due date,
    asked bool not null,
    done bool not null default false
);
create index next_action_open on next_action (agency, due) where asked and not done;
create table circulation (
    record uuid not null,
    reader text not null,
    case_id uuid not null,
    agency text not null,
    since timestamptz not null,
    read bool not null default false,
    primary key (record, reader)
);
create index circulation_unread on circulation (agency, reader, since) where not read;
create table notice (
    id uuid primary key,
    agency text not null,
    received_at timestamptz not null,
    case_id uuid,
    done bool not null default false
);
create index notice_waiting on notice (agency, received_at) where not done;
create index notice_of_case on notice (case_id);
create table assignee (
    agency text not null,
    staff text not null,
    case_id uuid not null,
    assigned bool not null,
    primary key (agency, staff, case_id)
);
create index assignee_of_case on assignee (case_id, agency) where assigned;
create table blocked (
    agency text not null,
    staff text not null,
    case_id uuid not null,
    blocked bool not null,
    primary key (agency, staff, case_id)
);
create table deputyship (
    id uuid primary key,
    agency text not null,
    staff text not null,
    deputy text not null,
    begins date not null,
    until date not null,
    ended bool not null default false
);
create index deputyship_deputy on deputyship (agency, deputy) where not ended;
