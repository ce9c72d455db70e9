-- migrate:up
-- The version of its stream at which an agency last asked for another login at the broker; 0: never.
alter table subscription add column login_renewed int not null default 0;

-- migrate:down
alter table subscription drop column login_renewed;
