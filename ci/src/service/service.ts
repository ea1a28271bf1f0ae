/** The service put together: opens its folder, takes up what an earlier one left, listens, and ends in order. */
import type { FastifyInstance } from "fastify";
import { NO_SETTINGS, type Settings } from "../batch/settings.js";
import { createApp } from "./app.js";
import type { Catalog } from "./catalog.js";
import type { Service, ServiceOptions } from "./context.js";
import { Database, lockFolder } from "./database.js";
import { Decisions } from "./decisions.js";
import { People } from "./people.js";
import { ProgressBoard } from "./progress.js";
import type { WorkQueue } from "./queue.js";
import { Shelf } from "./shelf.js";
import { Submissions } from "./submissions.js";

export interface ServeOptions extends ServiceOptions {
  /** Holds everything that is to stay. */
  folder: string;
  catalog: Catalog;
  /** When assignments are due, and what lateness costs. */
  settings?: Settings;
  /** Where learners' own folders are, if they may pick from them. */
  shelf?: string;
  makeQueue: (submissions: Submissions, board: ProgressBoard) => WorkQueue;
  log?: (message: string) => void;
}

export class RunningService {
  private constructor(
    readonly app: FastifyInstance,
    readonly service: Service,
    private readonly end: () => Promise<void>,
  ) {}

  /** @throws GraderError when another service has the folder */
  static async open(options: ServeOptions): Promise<RunningService> {
    const unlock = lockFolder(options.folder);
    const database = Database.open(options.folder);
    const decisions = new Decisions(database, options.settings ?? NO_SETTINGS);
    const submissions = new Submissions(database, decisions);
    const board = new ProgressBoard(submissions);
    const service: Service = {
      options,
      catalog: options.catalog,
      people: new People(database),
      submissions,
      decisions,
      board,
      queue: options.makeQueue(submissions, board),
      shelf: options.shelf === undefined ? undefined : new Shelf(options.shelf, options.maxBytes),
      log: options.log ?? (() => {}),
    };
    const app = await createApp(service);
    await service.queue.start();
    return new RunningService(app, service, async () => {
      await app.close();
      await service.queue.close();
      database.close();
      unlock();
    });
  }

  /** @returns the address */
  listen(host: string, port: number): Promise<string> {
    return this.app.listen({ host, port });
  }

  close(): Promise<void> {
    return this.end();
  }
}
