/** input_request and input_reply: questions to the front end that sent the cell, one at a time. */
import type { Json, Message } from "../protocol/message.js";
import type { Request } from "./context.js";

interface Question {
  request: Request;
  content: Json;
  /** The id of its input_request, once it was sent. */
  id?: string;
  resolve(answer: string | null): void;
}

export class Questions {
  private readonly waiting: Question[] = [];

  constructor(
    /** Sends an input_request. @returns its id. */
    private readonly send: (request: Request, content: Json) => string,
    private readonly log: (line: string) => void,
  ) {}

  /** @returns null when the question was dismissed. */
  ask(request: Request, prompt: string, password: boolean): Promise<string | null> {
    return new Promise((resolve) => {
      this.waiting.push({ request, content: { prompt, password }, resolve });
      if (this.waiting.length === 1) this.sendFirst();
    });
  }

  answer(message: Message): void {
    const [question] = this.waiting;
    if (!question || !answers(message, question)) {
      this.log(`dropped an input_reply that answers no open question (${message.header.msg_id})`);
      return;
    }
    this.waiting.shift();
    this.sendFirst();
    const { value } = message.content;
    question.resolve(typeof value === "string" ? value : "");
  }

  /** An interrupt answers every question with nothing. */
  dismiss(): void {
    for (const { resolve } of this.waiting.splice(0)) resolve(null);
  }

  private sendFirst(): void {
    const [next] = this.waiting;
    if (next) next.id = this.send(next.request, next.content);
  }
}

/**
 * Whether a reply is to this question, not to one that was dismissed before it. Clients name the input_request as the
 * reply's parent, or the cell, or (jupyter_client) nothing.
 */
function answers(reply: Message, { id, request }: Question): boolean {
  const { msg_id: parent } = reply.parentHeader as { msg_id?: unknown };
  return parent === undefined || parent === id || parent === request.message.header.msg_id;
}
