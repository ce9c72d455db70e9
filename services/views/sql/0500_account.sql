-- migrate:up
-- Documents that withdrew something: who has not confirmed is asked of the journal itself.
create index journal_withdrawn on journal (stream)
    where type = 'jp.tsunagu.disclosure.changed.v1'
      and (data ->> 'cause' = 'content_ended' or jsonb_array_length(data -> 'withdrawn') > 0);

-- migrate:down
drop index journal_withdrawn;
