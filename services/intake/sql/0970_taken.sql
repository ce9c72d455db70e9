-- migrate:up
-- The notices of a case as the journal has them: their keys go with it.
create index journal_notice_taken on journal ((data ->> 'into')) where type = 'jp.tsunagu.notice.taken.v1';

-- migrate:down
drop index journal_notice_taken;
