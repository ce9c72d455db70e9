-- migrate:up
-- Cover sheets that a machine sends: what waits, and what went astray and is to be seen by a person. What
-- became of each stands in the journal; `begun`: the mail server may have it, though nobody has heard.
create table cover_post (
    cover uuid primary key,
    agency text not null,
    case_id uuid not null,
    state text not null default 'waiting',
    failures int not null default 0,
    retry_at timestamptz,
    leased_until timestamptz,
    begun boolean not null default false
);
create index cover_post_waiting on cover_post (cover) where state = 'waiting';
create index cover_post_astray on cover_post (cover) where state in ('given_up', 'bounced');

-- migrate:down
drop table cover_post;
