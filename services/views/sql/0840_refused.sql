-- migrate:up
-- What was refused of late, for operators: found by its moment, however much else is in the journal.
create index journal_refused on journal (at)
    where type in ('jp.tsunagu.subscription.input_refused.v1', 'jp.tsunagu.disclosure.receipt_refused.v1');

-- migrate:down
drop index journal_refused;
