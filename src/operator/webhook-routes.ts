import { z } from 'zod';

import { dataOf, pageOf, time } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import {
  createWebhookService,
  deliveryAnswer,
  type IssuedWebhook,
  newWebhook,
  presentDelivery,
  presentWebhook,
  redelivery,
  webhookAnswer,
  webhookChange,
  webhookRotation,
  type WebhookService,
} from '../webhooks/index.js';
import { tenantIdOf } from './named-tenant.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/webhooks';
const reading = { operator: 'events:read' } as const;
/** A webhook sends events: with `resources:manage` alone, its owner could read what the key cannot. */
const managing = { operator: 'resources:manage', also: 'events:read' } as const;

const answer = dataOf(webhookAnswer);
/** The signing secret is in this one answer only. */
const issuedAnswer = dataOf(webhookAnswer.extend({ secret: z.string() }));

type ServiceOf = (ctx: OperatorContext) => WebhookService;

/** `/operator/webhooks`: where events are sent. */
export function createWebhookRoutes(dependencies: RouteDependencies): OperatorRoute[] {
  const { pagination } = dependencies;
  const serviceOf: ServiceOf = ({ state: { manager } }) =>
    createWebhookService({ ...dependencies, manager });
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the webhooks of all tenants, or of one, newest first',
      access: reading,
      cost: COST.read,
      query: PAGE_QUERY.extend({ tenantId: z.string().optional() }),
      answers: { 200: pageOf(webhookAnswer) },
      async handle(ctx, { query: { limit, cursor, tenantId: named } }) {
        const tenantId = await tenantIdOf(ctx, named);
        const list = ['operator-webhooks', tenantId ?? ''];
        const request = pagination.readText({ limit, cursor }, list);
        const found = await serviceOf(ctx).list(request, tenantId);
        const page = pagination.pageText(found, request, list, ({ id }) => id);
        sendPage(ctx, page, presentWebhook);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Create a webhook',
      access: managing,
      cost: COST.change,
      body: newWebhook,
      answers: { 201: issuedAnswer },
      async handle(ctx, { body }) {
        sendData(ctx, presentIssued(await serviceOf(ctx).add(ctx.state.actor, body)), 201);
      },
    }),
    ...createItemRoutes(serviceOf),
    ...createDeliveryRoutes(dependencies, serviceOf),
  ];
}

function createItemRoutes(serviceOf: ServiceOf): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      summary: 'Show a webhook',
      access: reading,
      cost: COST.read,
      answers: { 200: answer },
      async handle(ctx) {
        sendData(ctx, presentWebhook(await serviceOf(ctx).find(idOf(ctx))));
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Change, disable or enable a webhook',
      access: managing,
      cost: COST.change,
      body: webhookChange,
      answers: { 200: answer },
      async handle(ctx, { body }) {
        const webhook = await serviceOf(ctx).change(ctx.state.actor, idOf(ctx), body);
        sendData(ctx, presentWebhook(webhook));
      },
    }),
    operatorRoute({
      method: 'DELETE',
      path: `${PATH}/:id`,
      summary: 'Remove a webhook with its log',
      access: managing,
      cost: COST.change,
      answers: { 204: null },
      async handle(ctx) {
        await serviceOf(ctx).remove(ctx.state.actor, idOf(ctx));
        ctx.status = 204;
      },
    }),
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/rotate`,
      summary: 'Replace the signing secret of a webhook',
      access: managing,
      cost: COST.change,
      body: webhookRotation,
      answers: { 201: issuedAnswer },
      async handle(ctx, { body: { graceSeconds } }) {
        const issued = await serviceOf(ctx).rotate(ctx.state.actor, idOf(ctx), graceSeconds);
        sendData(ctx, presentIssued(issued), 201);
      },
    }),
  ];
}

function createDeliveryRoutes(
  { pagination }: RouteDependencies,
  serviceOf: ServiceOf,
): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id/deliveries`,
      summary: 'List the deliveries of a webhook, newest first',
      access: reading,
      cost: COST.read,
      query: PAGE_QUERY,
      answers: { 200: pageOf(deliveryAnswer) },
      async handle(ctx, { query }) {
        const list = ['operator-deliveries', idOf(ctx)];
        const request = pagination.read(query, list);
        const found = await serviceOf(ctx).deliveries(idOf(ctx), request);
        const page = pagination.page(found, request, list, ({ seq }) => seq);
        sendPage(ctx, page, presentDelivery);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/test`,
      summary: 'Send a test event to a webhook',
      access: managing,
      cost: COST.change,
      answers: { 201: dataOf(deliveryAnswer) },
      async handle(ctx) {
        const delivery = await serviceOf(ctx).test(ctx.state.actor, idOf(ctx));
        sendData(ctx, presentDelivery(delivery), 201);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/redeliveries`,
      summary: 'Send an event again, or the events since a time',
      access: managing,
      cost: COST.change,
      body: redelivery,
      answers: {
        201: dataOf(z.strictObject({ count: z.int(), until: time.nullable() })),
      },
      async handle(ctx, { body }) {
        sendData(ctx, await serviceOf(ctx).redeliver(ctx.state.actor, idOf(ctx), body), 201);
      },
    }),
  ];
}

function presentIssued({ webhook, secret }: IssuedWebhook) {
  return { ...presentWebhook(webhook), secret };
}
