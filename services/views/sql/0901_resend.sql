-- migrate:up
-- What is to be sent again is looked up by agency, and only for those that give receipts: of the others it is
-- never due, however much they hold.
create index delivery_received on delivery (agency) where receipt_at is not null;
create index delivery_again on delivery (agency, resend_at) where resend_at is not null;
drop index delivery_resend;

-- migrate:down
create index delivery_resend on delivery (resend_at) where resend_at is not null;
drop index delivery_again;
drop index delivery_received;
