-- migrate:up
-- Cases of which something left by hand.
create index journal_provided on journal (key) where type = 'jp.tsunagu.provision.recorded.v1';

-- migrate:down
drop index journal_provided;
