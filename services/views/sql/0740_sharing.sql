-- migrate:up
-- Receipts by grade, for operators: a higher grade stands for the lower ones (`receipt_document` is of any).
alter table delivery add column placed_document int, add column opened_document int;
update delivery d set placed_document = r.placed, opened_document = r.opened
  from (select stream, max((data ->> 'document')::int) as placed,
               max((data ->> 'document')::int) filter (where data ->> 'grade' = 'opened') as opened
          from journal
         where type = 'jp.tsunagu.disclosure.receipt_recorded.v1' and data ->> 'grade' <> 'delivered'
         group by stream) r
 where r.stream = 'disclosure/' || d.agency || '/' || d.case_id;
-- What differed at the broker from what should be, when it was last compared; who compares has the
-- administrator's login, which no service has.
create table broker_compared (
    one boolean primary key default true check (one),
    at timestamptz not null,
    differences jsonb not null
);

-- migrate:down
drop table broker_compared;
alter table delivery drop column placed_document, drop column opened_document;
