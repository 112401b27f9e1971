/* The audit, and the hashes of promise 1. */
#include "base/id.h"
#include "daemon/routes.h"

static json_t *entry_json(const struct view_audit *a)
{
	const struct enum_names *actions = model_field_by_key(model_kind(KIND_AUDIT), AUDIT_ACTION)->names;
	json_t *o = json_object();
	struct buf b = {0};

	id_encode(&b, a->entity);
	json_put(&o, "at", json_of_time(a->at_ms));
	json_put(&o, "action", json_string(a->action < actions->n ? actions->names[a->action] : "?"));
	json_put(&o, "entityType", json_of_text_or_null(a->type));
	json_put(&o, "entityId", b.err == OK ? json_of_text_or_null(buf_slice(&b)) : NULL);
	json_put(&o, "organizationId", json_of_id32(id32_is_zero(&a->org) ? NULL : &a->org));
	json_put(&o, "details", json_of_text_or_null(a->details));
	json_put(&o, "hash", json_of_id32(&a->hash));
	json_put(&o, "verified", json_boolean(a->verified));
	buf_free(&b);
	return o;
}

void audit_list(struct request *r)
{
	struct view_audit *entries;
	struct read q;
	json_t *list;
	size_t n;

	if (!read_begin(&q, r) || !read_ok(&q, view_audit(q.v, &entries, &n)))
		return;
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_add(&list, entry_json(&entries[i]));
	read_answer(&q, list);
}

void state_hash(struct request *r)
{
	struct id32 replica, state;
	struct read q;
	json_t *o;

	if (!read_begin_org(&q, r) || !read_ok(&q, view_state_hash(q.v, &q.org, &replica, &state)))
		return;
	o = json_object();
	json_put(&o, "replica", json_of_id32(&replica));
	json_put(&o, "state", json_of_id32(&state));
	read_answer(&q, o);
}
