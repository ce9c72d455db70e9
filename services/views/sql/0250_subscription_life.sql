-- migrate:up
-- What the newest events of each subscription say. `public_key` is null while nothing may be sealed;
-- `version`: of the stream, so that a newer word in the journal is waited for.
alter table subscription
    alter column public_key drop not null,
    add column version int not null default 0,
    add column paused text[] not null default '{}',
    add column quarantined boolean not null default false,
    add column closed boolean not null default false;

-- migrate:down
delete from subscription where public_key is null;
alter table subscription
    drop column closed, drop column quarantined, drop column paused, drop column version,
    alter column public_key set not null;
