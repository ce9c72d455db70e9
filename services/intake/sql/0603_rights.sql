-- migrate:up
-- The requests of persons about their own data; few, and found by whom they are to.
create index journal_rights_requested on journal ((data ->> 'to'), seq)
    where type = 'jp.tsunagu.rights.requested.v1';

-- migrate:down
drop index journal_rights_requested;
