/** input_request and input_reply: questions to the front end that sent the cell, one at a time. */
import type { Json, Message } from "../protocol/message.js";
import type { Request } from "./context.js";

interface Question {
  request: Request;
  content: Json;
  resolve(answer: string | null): void;
}

export class Questions {
  private readonly waiting: Question[] = [];

  constructor(private readonly send: (request: Request, content: Json) => void) {}

  /** @returns null when the question was dismissed. */
  ask(request: Request, prompt: string, password: boolean): Promise<string | null> {
    return new Promise((resolve) => {
      const question = { request, content: { prompt, password }, resolve };
      this.waiting.push(question);
      if (this.waiting.length === 1) this.send(request, question.content);
    });
  }

  answer(message: Message): void {
    const question = this.waiting.shift();
    const { value } = message.content;
    question?.resolve(typeof value === "string" ? value : "");
    const next = this.waiting[0];
    if (next) this.send(next.request, next.content);
  }

  /** An interrupt answers every question with nothing. */
  dismiss(): void {
    for (const { resolve } of this.waiting.splice(0)) resolve(null);
  }
}
