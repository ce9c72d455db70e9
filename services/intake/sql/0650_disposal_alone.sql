-- migrate:up
-- Who approves a disposal is alone with the journal: he waits for those who write, and they for him (0073).
-- So what he has found of other streams (a hold, a merge, a request, a person who joined another case) is
-- still so when his decision is written.
create function beside_disposals() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('disposal'));
    return null;
end $$;
create trigger beside_disposals before insert on journal
    for each statement execute function beside_disposals();

-- migrate:down
drop trigger beside_disposals on journal;
drop function beside_disposals;
