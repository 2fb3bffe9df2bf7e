/* worker/gateway/relay/protocol.h - what relay and client say. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_PROTOCOL_H
#define WORKER_GATEWAY_RELAY_PROTOCOL_H

/*
 * `relay UID` is a coprocess (base/coprocess.h): its listener is in the
 * sandbox's network namespace, its frames are JSON, and it becomes UID, unless
 * that is 0.
 */
enum relay_frame {
    /*
     * Down, once:
     * {"models": [{"name", "url", "dialect": "openai" | "anthropic",
     *              "key": "" for none, "model": "its usual id",
     *              "allow": ["ids, besides that"],
     *              "context", "output": tokens,
     *              "price": {"input", "output", "cached", "written":
     *                        millionths of a dollar for a million tokens},
     *              "fallback": "name" of another, "ca": "path",
     *              "budget": of the whole job,
     *              "spent": of that, by earlier attempts}],
     *  "first_byte_ms", "stall_ms", "retry_ms", "backoff_ms",
     *  "max_answer", "max_empty", "max_hollow", "max_buffered": N, see setup.h}
     * A budget, and what is spent of one: {"requests", "tokens", "micro_usd",
     * "time_ms": N}. What is left out is not limited, or as setup.h has it.
     */
    RELAY_FRAME_SETUP = 1,
    /* Down, none being under way: {"model": "name", "budget": of the step} */
    RELAY_FRAME_BEGIN,
    RELAY_FRAME_END, /* down, after BEGIN: {} */

    RELAY_FRAME_READY = 16, /* up: it listens; {} */
    RELAY_FRAME_FAILED,     /* up: text; it ends behind it */
    RELAY_FRAME_BEGUN,      /* up, one for each BEGIN; {} */
    /*
     * Up, before and after each request, of the step so far: {"requests",
     * "input_tokens", "output_tokens", "cached_tokens", "micro_usd",
     * "estimated"}; and of the job: {"models": {"name": {"requests", "tokens",
     * "micro_usd", "time_ms": by steps that asked it, in all attempts; "paid":
     * {"requests", "tokens", "micro_usd"}: to its provider, also for another it
     * stood in for, in this attempt}}}. Requests under way count as all that
     * they may take.
     */
    RELAY_FRAME_USAGE,
    /* Up, once a step, before the request that met it is answered: {"reason":
     * "budget_exceeded" | "model_failed", "message"}. */
    RELAY_FRAME_OVER,
    RELAY_FRAME_ENDED, /* up, one for each END: as USAGE */
};

#endif
