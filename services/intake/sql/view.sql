create table cases (
    id uuid primary key,
    lead text not null,
    status text not null,
    opened_at timestamptz not null
);
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
