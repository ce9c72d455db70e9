-- migrate:up
-- Rows go by the decision of two persons alone, which the transaction names.
create or replace function reading_stays() returns trigger language plpgsql as
$$ begin
    if tg_op <> 'DELETE' or current_setting('tsunagu.readings_end', true) is distinct from 'approved' then
        raise exception 'a reading is never changed';
    end if;
    return null;
end $$;
create index reading_agency on reading (agency, at);

-- migrate:down
drop index reading_agency;
create or replace function reading_stays() returns trigger language plpgsql as
$$ begin raise exception 'a reading is never changed'; end $$;
