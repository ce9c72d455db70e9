-- migrate:up
-- The cases of a person, and the list of destroyed keys.
create index journal_person_joined on journal ((data ->> 'person'), key)
    where type = 'jp.tsunagu.case.person_joined.v1';
create index journal_disposal_approved on journal (seq)
    where type = 'jp.tsunagu.case.disposal_approved.v1';

-- migrate:down
drop index journal_disposal_approved;
drop index journal_person_joined;
