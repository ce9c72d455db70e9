-- migrate:up
-- A timer that could not fire is tried again by itself, each time after a longer pause.
alter table timer add column failures int not null default 0,
                  add column retry_at timestamptz;

-- migrate:down
alter table timer drop column failures, drop column retry_at;
