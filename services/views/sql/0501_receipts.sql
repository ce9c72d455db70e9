-- migrate:up
-- What was sent last, when (domain time), and what the agency said of it. resend_at: real time.
alter table delivery
    add column behind_since timestamptz,
    add column sent_at timestamptz,
    add column sent_mark text,
    add column receipt_document int,
    add column receipt_at timestamptz,
    add column resend_at timestamptz;
create index delivery_resend on delivery (resend_at) where resend_at is not null;

-- migrate:down
drop index delivery_resend;
alter table delivery
    drop column behind_since, drop column sent_at, drop column sent_mark,
    drop column receipt_document, drop column receipt_at, drop column resend_at;
