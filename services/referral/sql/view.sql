create table cases (
    id uuid primary key,
    lead text not null,
    -- Who of its staff made it the lead, and when: it passes with the programme of his desk (L2).
    led_by text,
    led_at timestamptz not null
);
create table person (
    case_id uuid not null,
    person uuid not null,
    primary key (case_id, person)
);
create table referral (
    id uuid primary key,
    case_id uuid not null,
    sender text not null,
    receiver text not null,
    status text not null,
    requested_at timestamptz not null,
    -- Who of the sender asked, and who of which agency answered last: it passes as above.
    sent_by text not null,
    sent_at timestamptz not null,
    answerer text,
    answered_by text,
    answered_at timestamptz
);
create index referral_sender on referral (sender, id);
create index referral_receiver on referral (receiver, id);
create index referral_case on referral (case_id);
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
