-- migrate:up
-- Merges as the journal has them; few, and asked for before anything is disposed of or shown to a person.
create index journal_cases_merged on journal (stream) where type = 'jp.tsunagu.merge.merged.v1';

-- migrate:down
drop index journal_cases_merged;
