-- migrate:up
-- Those that could not fire are counted every two seconds, however many wait for their day.
create index timer_failed on timer (id) where last_error is not null;

-- migrate:down
drop index timer_failed;
