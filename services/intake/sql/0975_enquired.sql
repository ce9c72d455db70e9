-- migrate:up
-- Matches of a case, whose notes go with it.
create index journal_match_enquired on journal using gin ((data -> 'cases'))
    where type = 'jp.tsunagu.match.enquired.v1';

-- migrate:down
drop index journal_match_enquired;
