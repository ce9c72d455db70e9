-- Cases as views knows them; the row is the lock under which a case is judged.
create table cases (
    id uuid primary key,
    dirty boolean not null,
    judge_at timestamptz,
    stuck text  -- could not be judged: why; tried again when it changes, at `judge_at`, and at each start
);
create index cases_key on cases ((id::text));
create index cases_dirty on cases (id) where dirty;
create index cases_judge_at on cases (judge_at);
create index cases_stuck on cases (id) where stuck is not null;
-- Which cases depend on an agency's registration ('agency/…') or on a pool ('body/…').
create table depends (
    upon text not null,
    case_id uuid not null,
    primary key (upon, case_id)
);
-- Named members who may open something sealed of a case, if pledged and the matter lives.
create table called (
    subject text not null,
    case_id uuid not null,
    primary key (subject, case_id)
);
-- Changes whenever an event of the directory or a pool is folded: what was made of them is old then.
create table world (
    one boolean primary key default true check (one),
    events bigint not null,
    mark bigint not null
);
insert into world (events, mark) values (0, 0);
-- Cases of a person.
create index kept_person on kept ((data ->> 'person')) where type = 'jp.tsunagu.case.person_joined.v1';
-- What somebody of an agency recorded: it is held under a programme if he sat at one of its desks.
create index kept_recorder on kept (agency, actor);
-- Merges of cases, and those undone: which cases are judged together.
create table merges (
    id uuid primary key,
    merged uuid not null,
    into_case uuid not null,
    same jsonb not null,
    confirmed uuid[] not null default '{}',
    undone boolean not null default false,
    at timestamptz not null,
    undone_at timestamptz  -- what was shown until then was shown by it
);
create index merges_merged on merges (merged) where not undone;
create index merges_into on merges (into_case);
-- Staff for whom a case is not there (L23).
create table blocked (
    agency text not null,
    staff text not null,
    case_id uuid not null,
    blocked bool not null,
    primary key (agency, staff, case_id)
);
