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
