export { createContactRoutes } from './contacts/contact-routes.js';
export { importProducts, type ImportReport } from './products/product-import.js';
export { presentProduct } from './products/product-presenter.js';
export { createProductRoutes } from './products/product-routes.js';
export { newProduct } from './products/product-schema.js';
export { createProductStore } from './products/product-store.js';
