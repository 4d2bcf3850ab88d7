export { createContactRoutes } from './contacts/contact-routes.js';
export { importProducts, type ImportReport } from './products/product-import.js';
export { createProductRoutes } from './products/product-routes.js';
export { newProduct } from './products/product-schema.js';
export { createProductStore } from './products/product-store.js';
