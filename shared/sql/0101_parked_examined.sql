-- migrate:up
-- Since when a lasting gap is known to be no loss of the topic: its partition was read again.
alter table parked add column examined_at timestamptz;

-- migrate:down
alter table parked drop column examined_at;
