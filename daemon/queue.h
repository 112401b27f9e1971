/* queue: events on their way to the node, first in, first out.  Nodes are embedded in what owns their memory, so that queueing cannot
 * fail. */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H
#include "daemon/node/node.h"

struct queued {
	struct queued *next;
	struct event event;             /* time and randomness are filled in when its turn comes */
	const bool *stale;              /* not NULL and true when its turn comes: dropped */
	size_t bytes;                   /* of a frame: bounds a turn */
	void (*release)(struct queued *);       /* after its turn, or dropped */
};
struct queue { struct queued *first, **last; };

static inline void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static inline void queue_push(struct queue *q, struct queued *item)
{
	item->next = NULL;
	*q->last = item;
	q->last = &item->next;
}

static inline struct queued *queue_pop(struct queue *q)
{
	struct queued *item = q->first;

	if (item != NULL && (q->first = item->next) == NULL)
		q->last = &q->first;
	return item;
}

#endif
