create table cases (
    id uuid primary key,
    lead text not null,
    -- Who of its staff made it the lead, and when: it passes with the programme of his desk (L2). '': nobody.
    led_by text not null,
    led_at timestamptz not null
);
-- By referrals that have not ended.
create table asked (
    referral uuid primary key,
    case_id uuid not null,
    receiver text not null
);
create index asked_of_case on asked (case_id);
create table person (
    case_id uuid not null,
    person uuid not null,
    primary key (case_id, person)
);
create table matter (
    id uuid primary key,
    case_id uuid not null,
    body text not null,
    submitter text not null,
    submitted_at timestamptz not null,
    live boolean not null default true,
    overdue boolean not null default false
);
create index matter_submitter on matter (submitter, id);
create index matter_body on matter (body, id);
create table called (
    subject text not null,
    matter uuid not null,
    primary key (subject, matter)
);
create table meeting (
    id uuid primary key,
    host text not null,
    bodies text[] not null,
    local_name text not null,
    planned_on date not null,
    held_on date,
    status text not null default 'planned'
);
create table invited (
    agency text not null,
    meeting uuid not null,
    primary key (agency, meeting)
);
-- Consents, matters and subjects that items rest on or of which something was told: the row is locked
-- by whoever adds either half, so that one of two concurrent transactions sees both.
create table basis (
    id uuid primary key,
    ended_by uuid,
    ended_at timestamptz,
    correlation uuid
);
create table item (
    basis uuid not null,
    meeting uuid not null,
    case_id uuid not null,
    primary key (meeting, case_id, basis)
);
create index item_basis on item (basis);
-- Staff for whom a case is not there (L23).
create table blocked (
    agency text not null,
    staff text not null,
    case_id uuid not null,
    blocked bool not null,
    primary key (agency, staff, case_id)
);
-- Which events of programmes and desks there are, as one number (shared/offices.py).
create table offices (
    one boolean primary key default true check (one),
    mark bigint not null
);
insert into offices (mark) values (0);
create table task (
    id uuid primary key,
    meeting uuid not null,
    case_id uuid not null,
    host text not null,
    owner text not null,
    staff text,
    due date not null,
    matter uuid,
    status text not null default 'open',
    overdue boolean not null default false
);
create index task_open on task (owner, due, id) where status = 'open';
create index task_of_meeting on task (meeting);
-- Cases of which nothing is told any more.
create table disposed (
    case_id uuid primary key
);
-- Who works a case at an agency, and who stands in for whom (shared/staff.py).
create table assignee (
    agency text not null,
    staff text not null,
    case_id uuid not null,
    assigned bool not null,
    primary key (agency, staff, case_id)
);
create index assignee_of_case on assignee (case_id, agency) where assigned;
create table deputyship (
    id uuid primary key,
    agency text not null,
    staff text not null,
    deputy text not null,
    begins date not null,
    until date not null,
    ended bool not null default false
);
create index deputyship_staff on deputyship (agency, staff) where not ended;
