-- migrate:up
-- The list of destroyed keys holds those of what ended without a case too.
create index journal_erasures on journal (seq)
    where type in ('jp.tsunagu.case.disposal_approved.v1', 'jp.tsunagu.caseless.disposal_approved.v1');
drop index journal_disposal_approved;

-- migrate:down
create index journal_disposal_approved on journal (seq)
    where type = 'jp.tsunagu.case.disposal_approved.v1';
drop index journal_erasures;
