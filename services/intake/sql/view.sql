create table cases (
    id uuid primary key,
    lead text not null,
    status text not null,
    opened_at timestamptz not null,
    household uuid not null,
    -- Who of the lead's staff made it the lead, and when: it passes with the programme of his desk (L2).
    led_by text,
    led_at timestamptz not null
);
create index cases_household on cases (household);
create index cases_led on cases (lead, led_by) where status = 'open';
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
    terms bigint[] not null,
    primary key (case_id, person, field, recorder)
);
create index search_terms on search using gin (terms);
-- By whom a person may be found by a protected field (L11).
create table protected (
    case_id uuid not null,
    person uuid not null,
    field text not null,
    named text[] not null,
    primary key (case_id, person, field)
);
create table next_action (
    record uuid primary key,
    case_id uuid not null,
    agency text not null,
    due date,
    asked bool not null,
    done bool not null default false
);
create index next_action_open on next_action (agency, due) where asked and not done;
create index next_action_of_case on next_action (case_id) where asked and not done;
-- Codes as keyed digests: what a case was screened as, and in which way somebody was met.
create table screening (
    case_id uuid primary key,
    outcome bigint not null,
    screened_at timestamptz not null
);
create index screening_outcome on screening (outcome);
create table contact (
    record uuid primary key,
    case_id uuid not null,
    agency text not null,
    way bigint not null,
    at timestamptz not null
);
create index contact_of_case on contact (case_id);
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
create table review (
    basis uuid primary key,
    case_id uuid not null,
    review_by timestamptz not null,
    done bool not null default false
);
create index review_waiting on review (case_id) where not done;
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
create table merges (
    id uuid primary key,
    merged uuid not null,
    into_case uuid not null,
    undone bool not null default false
);
create index merges_merged on merges (merged);
create index merges_into on merges (into_case);
-- Each person as keyed digests of whole values, to find pairs by, and of terms, to compare them by.
create table marks (
    case_id uuid not null,
    person uuid not null,
    kana bigint,
    name bigint,
    initial bigint,
    birth bigint,
    year bigint,
    phone bigint,
    address bigint,
    terms jsonb not null,
    primary key (case_id, person)
);
create index marks_kana on marks (kana, year);
create index marks_name on marks (name, birth);
create index marks_birth on marks (birth, initial);
create index marks_phone on marks (phone);
create index marks_address on marks (address);
create index marks_person on marks (person);
-- Notices that were disposed of: nothing of them is kept to compare by, whichever came first.
create table forgotten (
    id uuid primary key
);
-- Who is to be compared with all others, since something of him changed.
create table uncompared (
    case_id uuid not null,
    person uuid not null,
    primary key (case_id, person)
);
-- Two who may be one, as those found who compared them; and by which rule: the row is the lock of who compares.
create table likely (
    id uuid primary key,
    case_a uuid not null,
    person_a uuid not null,
    case_b uuid not null,
    person_b uuid not null,
    points double precision not null,
    levels jsonb not null
);
create index likely_a on likely (case_a, person_a);
create index likely_b on likely (case_b, person_b);
create table compared (
    one boolean primary key default true check (one),
    rule bigint not null
);
insert into compared (rule) values (0);
create table enquiry (
    match uuid primary key,
    cases uuid[] not null,
    agency text not null,
    asked_at timestamptz not null,
    waits bool not null
);
create index enquiry_waits on enquiry (agency, asked_at) where waits;
create index enquiry_cases on enquiry using gin (cases);
create table transfer (
    id uuid primary key,
    agency text not null,
    effective_at timestamptz not null,
    over bool not null default false
);
create index transfer_waiting on transfer (agency, effective_at) where not over;
create table message (
    id uuid primary key,
    case_id uuid not null,
    sender text not null,
    agency text not null,
    sent_at timestamptz not null,
    read bool not null default false
);
create index message_unread on message (agency, sent_at) where not read;
create table watch (
    id uuid primary key,
    agency text not null,
    kind text not null,
    status text not null default 'in_use',
    called_in date  -- first day of the month of the last call that was answered
);
create index watch_of on watch (agency, kind, id);
-- Which events of programmes and desks there are, as one number (shared/offices.py).
create table offices (
    one boolean primary key default true check (one),
    mark bigint not null
);
insert into offices (mark) values (0);
